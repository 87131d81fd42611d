"""What the service keeps: tables, migrations, and how they are reached."""
