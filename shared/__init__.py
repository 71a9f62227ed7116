"""What both commands need; knows neither of them."""
