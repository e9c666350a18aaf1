"""Front doors: models that take and give values as files hold them."""

from saltus.estimators.model import Model
from saltus.estimators.table import TableModel

__all__ = ["Model", "TableModel"]
