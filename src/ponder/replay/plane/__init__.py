"""Episodes in the width-depth plane, as arrays and as compiled code."""
