"""AWS Secrets Manager and Systems Manager Parameter Store.

Reading goes through confsvc's own HTTP client, signed here. boto3 is asked for credentials where they are more than two
variables: profiles, SSO, roles, containers, machines.
"""
