"""Loads an exported collection into Qdrant, batch by batch, and searches there for one of its rows.

usage: load_into_qdrant.py BUCKET/FOLDER/COLLECTION PRIMARY_KEY VECTOR
"""

import os
import sys

import pyarrow.dataset as ds
from pyarrow import fs
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, PointStruct, VectorParams

folder, key, vector = sys.argv[1:]
store = fs.S3FileSystem(endpoint_override=os.environ.get("AWS_ENDPOINT_URL"))
rows = ds.dataset(folder, filesystem=store, format="parquet", partitioning="hive")

# A Qdrant in this process; QdrantClient(url="http://...") is a server.
qdrant = QdrantClient(":memory:")
dimensions = rows.schema.field(vector).type.list_size
qdrant.create_collection("loaded", vectors_config=VectorParams(size=dimensions, distance=Distance.EUCLID))
for batch in rows.to_batches(batch_size=1_000):
    points = [PointStruct(id=row.pop(key), vector=row.pop(vector), payload=row) for row in batch.to_pylist()]
    if points:
        qdrant.upsert("loaded", points)

first = rows.head(1).to_pylist()[0]
nearest = qdrant.query_points("loaded", query=first[vector], limit=1).points[0]
print(f"{qdrant.count('loaded').count} rows in Qdrant; the nearest to the vector of {first[key]} is {nearest.id}")
