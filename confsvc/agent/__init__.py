"""The agent: one process of a host, or of a pod, that reads the settings of an environment and hands them to others."""
