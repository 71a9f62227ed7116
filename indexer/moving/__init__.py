"""Moving a home's points from one store to another."""
