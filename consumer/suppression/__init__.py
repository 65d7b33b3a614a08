"""Who must not be mailed, and SES's own list of them."""
