"""What the compiler knows of AWS."""
