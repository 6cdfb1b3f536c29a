"""What a fit came to, drawn: a picture and a live page."""
