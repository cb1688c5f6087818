"""The settings written down for others: an example of a `.env`, a table for people, types for TypeScript."""
