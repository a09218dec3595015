"""A second place for what is on the shelf: an S3 bucket, copies to it and back."""
