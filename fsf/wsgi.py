"""The WSGI application that the web server runs."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fsf.settings")
django_application = get_wsgi_application()

from fsf.shortcut import Shortcut  # noqa: E402 - models are there only now

application = Shortcut(django_application)

# What is loaded stays: it is not looked at again, and new objects are looked through rarely. A large batch makes a million objects
# that all go at its end, and took twice as long while they were searched for rings every few hundred.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 100)
