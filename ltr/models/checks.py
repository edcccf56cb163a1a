"""What a configuration may ask of a network."""

from ltr.config.schema import Model as Config
from ltr.errors import ConfigError


def require_size(config: Config, image_shape: tuple[int, int, int], least: int) -> None:
    """ConfigError for images with fewer rows or columns than the network's layers halve to one."""
    if min(image_shape[:2]) < least:
        raise ConfigError(
            f"model.name={config.name}: needs images of at least {least}x{least}, these are {image_shape}"
        )


def require_no_dropout(config: Config) -> None:
    """ConfigError for a dropout that the network has no place for."""
    if config.dropout:
        raise ConfigError(f"model.dropout={config.dropout}: {config.name} has none; must be 0")
