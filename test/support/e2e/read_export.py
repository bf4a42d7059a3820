"""Reads exports as people do and prints their rows as lines of JSON: bytes as lists, what is JSON parsed.

usage: read_export.py FORMAT FOLDER READER,READER COLUMN,COLUMN (those that hold JSON as text); FOLDER holds a folder a collection
"""

import json
import os
import sys

FORMAT, FOLDER, READERS, JSON_COLUMNS = sys.argv[1:5]
PARTITION = "milvus_partition"


def by_duckdb(folder):
    import duckdb

    # lines as they are: read_json would make one type of lists that hold several
    function = {"parquet": "read_parquet", "jsonl": "read_ndjson_objects"}[FORMAT]
    table = duckdb.sql(f"SELECT * FROM {function}('{folder}/**/*.{FORMAT}', hive_partitioning = true)")
    rows = [dict(zip(table.columns, row)) for row in table.fetchall()]
    return rows if FORMAT == "parquet" else [{**json.loads(row.pop("json")), **row} for row in rows]


def by_pyarrow(folder):
    import pyarrow.dataset as ds

    return ds.dataset(folder, format=FORMAT, partitioning="hive").to_table().to_pylist()


def by_pandas(folder):
    import pandas as pd

    return pd.read_parquet(folder, dtype_backend="pyarrow").to_dict("records")


def plain(value):
    if isinstance(value, bytes):
        return list(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def is_none(value):
    return value is None or type(value).__name__ == "NAType"


for reader in READERS.split(","):
    for collection in os.listdir(FOLDER):
        for row in globals()[f"by_{reader}"](os.path.join(FOLDER, collection)):
            partition = row.pop(PARTITION)
            present = {name: value for name, value in row.items() if not is_none(value)}
            values = {
                name: json.loads(value) if name in JSON_COLUMNS.split(",") else plain(value)
                for name, value in present.items()
            }
            line = {"reader": reader, "collection": collection, "partition": partition, "values": values}
            print(json.dumps(line, ensure_ascii=False))
