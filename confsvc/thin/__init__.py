"""What a start needs to ask an agent: nothing but what Python has loaded by itself, and modules written in C."""
