"""Schemas in code: pydantic models, BaseSettings and dataclasses."""

from confsvc.models.schema import ModelSchema, import_schema

__all__ = ["ModelSchema", "import_schema"]
