"""The bytes of a part: Parquet with a digest over every byte of the file, its footer included."""

import hashlib
import io

import pyarrow as pa
import pyarrow.parquet as pq

KEY = "digest"
OPEN = "0" * 64  # stands where the digest goes while it is computed


class DamagedError(ValueError):
    """The bytes are not those that were written."""


def part_bytes(table: pa.Table) -> bytes:
    """``table`` as a Parquet file; page checksums alone would leave the footer (names, types, identity) unguarded."""
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, table.schema, compression="zstd", write_page_checksum=True) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({KEY: OPEN})
    content = buffer.getvalue()
    head, separator, tail = content.rpartition(OPEN.encode())
    if not separator:
        raise AssertionError("pyarrow wrote no digest field")
    return head + _digest(content).encode() + tail


def read_part(content: bytes, columns: list[str] | None = None) -> pa.Table:
    """The table that ``part_bytes`` wrote, all columns or the named ones.

    Parts written before there was a digest are guarded by their pages' checksums.

    Raises:
        DamagedError: a byte has changed.
    """
    try:
        source = pq.ParquetFile(io.BytesIO(content), page_checksum_verification=True)
        digest = (source.metadata.metadata or {}).get(KEY.encode())
        if digest is not None:
            head, _, tail = content.rpartition(digest)
            if _digest(head + OPEN.encode() + tail).encode() != digest:
                raise DamagedError("its digest is another")
        table = source.read(columns, use_threads=columns is None)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DamagedError(" ".join(str(error).split())) from error
    kept = {key: value for key, value in (table.schema.metadata or {}).items() if key != KEY.encode()}
    return table.replace_schema_metadata(kept)  # the digest is the file's, not the rows'


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=32).hexdigest()
