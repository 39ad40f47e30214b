"""Shipping: checks, measurements, releases and deployments. Nothing of it is in the image."""
