"""What the page for people shows, read from Postgres: each answer small, and made in a few statements."""
