"""The commands that make data sets and models; nothing else imports them."""
