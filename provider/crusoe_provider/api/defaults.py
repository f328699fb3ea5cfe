"""What applies where nobody says otherwise."""

from typing import Final

ENDPOINT: Final = "https://api.cloud.crusoe.ai/v1"
