"""Front doors: models that take and give values as files hold them."""

from saltus.estimators.model import Model

__all__ = ["Model"]
