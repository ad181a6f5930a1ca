"""Times of the day by 24 hours: a visit at 8 is not one at 20."""

DATETIME_FORMAT = "N j, Y, H:i"
TIME_FORMAT = "H:i"
