"""The callback protocol simulated: the real handlers' code, with services, time and faults drawn from a seed."""
