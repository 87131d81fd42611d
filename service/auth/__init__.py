"""Who may do what: users, logins, keys for programs."""
