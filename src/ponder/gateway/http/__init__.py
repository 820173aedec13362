"""HTTP below the application: requests in, replies and refusals out."""
