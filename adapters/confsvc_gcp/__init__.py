"""Google Cloud Secret Manager.

Reading goes through confsvc's own HTTP client, with tokens from google-auth, whose requests go the same way. Google's
client library is used where `transport = "grpc"` asks for it.
"""
