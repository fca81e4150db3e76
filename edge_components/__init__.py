"""Greengrass components: programs that run on devices."""
