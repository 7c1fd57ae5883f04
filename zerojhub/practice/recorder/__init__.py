"""Record a cloud: send read-only requests, remove personal data from the responses, save them as a profile."""
