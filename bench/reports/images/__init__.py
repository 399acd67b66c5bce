"""The images page: what the classifiers were shown, and what each of them answered."""
