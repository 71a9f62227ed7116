"""One file that holds a home whole, whichever store its points are in.

    manifest.json                    format, versions, size and SHA-256 of every other part
    settings.toml                    without keys
    roots.json  journal.sqlite3
    models/                          as on disk, see `shared.models`
    points/ENCODER/000000.jsonl      up to 5,000 records, one JSON object a line
    points/ENCODER/000000.f16        their vectors: little-endian Float16 (n, 512), C order

The file is a ZIP archive that nothing is compressed in: any archiver lists it, NumPy and a reader
of JSON understand it, and nothing in it is ever unpickled.
"""
