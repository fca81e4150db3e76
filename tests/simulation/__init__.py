"""The callback protocol simulated: the real code, with services, time and faults drawn from a seed."""
