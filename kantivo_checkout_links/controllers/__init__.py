from . import pay, webhook
