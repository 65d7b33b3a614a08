"""What rules say of events: their files, those in force, and history judged by them."""
