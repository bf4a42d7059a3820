"""Asks an exported backup with SQL, as its files lie in the bucket: the table is called `rows`.

usage: query_backup.py BUCKET/FOLDER/COLLECTION SQL
"""

import os
import sys

import duckdb
import pyarrow.dataset as ds
from pyarrow import fs

folder, question = sys.argv[1:]
# Credentials and region come from the environment; so does the address of a store that is not AWS.
store = fs.S3FileSystem(endpoint_override=os.environ.get("AWS_ENDPOINT_URL"))
rows = ds.dataset(folder, filesystem=store, format="parquet", partitioning="hive")
print(duckdb.sql(question))
