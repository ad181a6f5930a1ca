"""Places on the earth: positions as people give them, and great-circle distances."""

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from django.core.exceptions import ValidationError
from django.db.models import F, FloatField, Value
from django.db.models.expressions import Combinable, ExpressionWrapper
from django.db.models.functions import ASin, Cast, Cos, Least, Power, Radians, Sin, Sqrt
from django.utils.translation import gettext_lazy as _

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG
# About a kilometre: enough to find a doctor, too little to find a door.
COARSE = Decimal("0.01")
LATITUDE_LIMIT, LONGITUDE_LIMIT = 90, 180
BOTH_OR_NEITHER = _("A place needs both: latitude and longitude.")


@dataclass(frozen=True)
class Position:
    """A point on the earth in degrees, coarse enough to be kept and logged."""

    latitude: Decimal
    longitude: Decimal

    @classmethod
    def near(cls, latitude: Decimal, longitude: Decimal) -> "Position":
        return cls(coarse(latitude), coarse(longitude))


def coarse(degrees: Decimal) -> Decimal:
    return degrees.quantize(COARSE, rounding=ROUND_HALF_EVEN)


def read_degrees(text: str, limit: int) -> Decimal:
    """The degrees that somebody typed, from -limit to limit; ValidationError if they are none."""
    try:
        # A decimal comma is what many keyboards and people have.
        degrees = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        degrees = Decimal("NaN")
    if not degrees.is_finite():
        raise ValidationError(_("Write degrees as a number, such as 47.37."), code="no_number")
    if abs(degrees) > limit:
        raise ValidationError(
            _("This lies outside of the earth: it goes from -%(limit)s to %(limit)s degrees."),
            code="out_of_range",
            params={"limit": limit},
        )
    return degrees


def distance_km(
    position: Position, *, latitude: str = "latitude", longitude: str = "longitude"
) -> Combinable:
    """The distance of a row from `position`, computed by the database; NULL where a row has no place.

    Haversine: its terms are squared sines of half the difference, so neither the date line nor a pole is
    special, and near distances keep their digits. `Least` because rounding can lift the antipodes above 1.
    """
    here = math.radians(position.latitude)
    there = Radians(Cast(F(latitude), FloatField()))
    half_turn = Radians(Cast(F(longitude), FloatField()) - float(position.longitude)) / 2.0
    chord = Power(Sin((there - here) / 2.0), 2.0) + math.cos(here) * Cos(there) * Power(Sin(half_turn), 2.0)
    bounded = Least(Cast(chord, FloatField()), Value(1.0, FloatField()))
    return ExpressionWrapper(
        2.0 * EARTH_RADIUS_KM * ASin(Sqrt(bounded)),
        output_field=FloatField(),
    )


def map_url(latitude: Decimal, longitude: Decimal) -> str:
    """Where the public map of OpenStreetMap shows this point."""
    return f"https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=16/{latitude}/{longitude}"
