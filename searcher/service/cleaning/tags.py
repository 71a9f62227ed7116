"""Tags of TIFF and EXIF that tell no place; each name is the standard's.

Left out on purpose: GPS (34853), MakerNote (37500, some hold a place), XMP (700), IPTC (33723),
Photoshop (34377), GeoTIFF (33550 and others), SubIFDs (330), comments in UTF-16 (40091 to 40095),
and the air's temperature, humidity and pressure (37888 to 37890).
"""

from __future__ import annotations

USER_COMMENT = 37510
COMPRESSION = 259
JPEG_COMPRESSIONS = ((6,), (7,))
_EXIF, _INTEROPERABILITY, _GPS = 34665, 40965, 34853

KEPT = frozenset(
    (
        *range(254, 260),  # NewSubfileType, SubfileType, size, BitsPerSample, Compression
        *(262, 263, 264, 265, 266),  # PhotometricInterpretation to FillOrder
        *range(269, 275),  # DocumentName to Orientation
        *range(277, 285),  # SamplesPerPixel to PlanarConfiguration
        *(290, 291, 292, 293, 296, 297),  # grey response, T4 and T6, ResolutionUnit, PageNumber
        *(301, 305, 306, 315, 316, 317),  # TransferFunction to Predictor
        *range(318, 326),  # WhitePoint to TileByteCounts
        *(332, 333, 334, 336, 337, 338, 339, 340, 341, 347),  # InkSet to JPEGTables
        *(513, 514, 529, 530, 531, 532),  # a small JPEG, YCbCr and ReferenceBlackWhite
        *(18246, 18249, 33432, 34675, _EXIF),  # ratings, Copyright, the ICC profile
    )
)
"""Of TIFF's own directories."""

_KEPT_EXIF = frozenset(
    (
        *(33434, 33437, 34850, 34855, 34864, 34865, 34866, 34867),  # exposure and sensitivity
        *(36864, 36867, 36868, 36880, 36881, 36882),  # ExifVersion, dates, their offsets from UTC
        *(37121, 37122, *range(37377, 37387)),  # components, shutter speed to FocalLength
        *(USER_COMMENT, 37520, 37521, 37522),  # parts of a second
        *(40960, 40961, 40962, 40963, _INTEROPERABILITY),  # version, ColorSpace, size
        *(41483, 41486, 41487, 41488, 41493, 41495, 41728, 41729),  # sensor and source
        *range(41985, 41997),  # CustomRendered to SubjectDistanceRange
        *(42016, *range(42032, 42038), 42080, 42240),  # image id, owner, camera, lens, Gamma
    )
)
_KEPT_INTEROPERABILITY = frozenset((1, 2, 4096, 4097, 4098))

BELOW = {_EXIF: _KEPT_EXIF, _INTEROPERABILITY: _KEPT_INTEROPERABILITY, _GPS: frozenset[int]()}
"""What is kept of the directories that these tags point at."""

LONG = frozenset((258, 273, 279, 280, 281, 291, 301, 320, 324, 325, 339, 340, 341, 347, 34675))
"""Tags whose values may be long, because pixels and colours need them."""

PIXELS = ((273, 279), (324, 325), (513, 514))
"""Tags with places and lengths in bytes: strips, tiles, a small JPEG."""
