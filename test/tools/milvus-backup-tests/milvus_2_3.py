"""
A plugin of pytest for milvus-backup's own tests (docs/server.md) on Milvus 2.3: what their collections have that only newer servers know
is left out of them: nullable fields, text analysis, functions with the sparse vectors that they make, JSON path indexes. BIN_IVF_FLAT gets the nlist
that newer servers take by default. What is asked of the server that is judged, and what is compared, stays as it is.
"""

import pytest
from pymilvus import CollectionSchema, DataType, FieldSchema

newer = ("nullable", "enable_match", "enable_analyzer")
init_field = FieldSchema.__init__
init_schema = CollectionSchema.__init__


def without_newer(self, name, dtype, description="", **kwargs):
    init_field(self, name, dtype, description, **{key: kwargs[key] for key in kwargs if key not in newer})


def without_sparse(self, fields, *args, **kwargs):
    init_schema(self, [one for one in fields or [] if one.dtype != DataType.SPARSE_FLOAT_VECTOR], *args, **kwargs)


FieldSchema.__init__ = without_newer
CollectionSchema.__init__ = without_sparse
CollectionSchema.add_function = lambda self, function: None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    from base.client_base import TestcaseBase
    from utils.util_pymilvus import DEFAULT_BINARY_INDEX_PARAM

    DEFAULT_BINARY_INDEX_PARAM["params"]["nlist"] = 128
    prepare = TestcaseBase.prepare_data

    def prepare_data(self, *args, **kwargs):
        return prepare(self, *args, **{**kwargs, "nullable": False})

    TestcaseBase.prepare_data = prepare_data
    for module in {item.module for item in items}:
        if hasattr(module, "create_json_path_index_for_json_fields"):
            module.create_json_path_index_for_json_fields = lambda collection: None
