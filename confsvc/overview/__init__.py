"""Several environments at once: what each one reads, needs, has and lacks."""
