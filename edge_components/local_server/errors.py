"""Everything that the local server can say went wrong.

LocalServerError
├─ SettingsError            the component's configuration; the process exits 2
├─ RequirementsError        the Install step could not make the packages available
├─ AlreadyRunningError      another server holds the same work folder
├─ AddressError             the address to listen on is taken or not this device's
├─ EngineError              the inference engine: not startable, dead or not answering (503)
│  └─ EngineUnavailableError   this machine has no Triton that can run; `auto` then takes the fallback
├─ StoppedError             the server was told to stop while it was starting
└─ RequestError             the client's request, with its HTTP status
   ├─ ImageError            400 the body is no image that can be read
   ├─ ForbiddenError        403 model orders come from this device only
   ├─ UnknownModelError     404
   ├─ TooLargeError         413
   ├─ LengthRequiredError   411 the body comes without a Content-Length
   ├─ ModelError            422 the model cannot be loaded
   ├─ InferenceError        500 the model failed on this image
   └─ StorageError          507 the result cannot be written
"""


class LocalServerError(Exception):
    """Root of the tree."""


class SettingsError(LocalServerError):
    """The component's configuration is wrong."""


class RequirementsError(LocalServerError):
    """A Python package is missing and could not be installed."""


class AlreadyRunningError(LocalServerError):
    """Another server holds the work folder."""


class AddressError(LocalServerError):
    """The address to listen on is taken, or not one of this device's."""


class EngineError(LocalServerError):
    """The inference engine cannot be started, died or does not answer."""

    status = 503


class EngineUnavailableError(EngineError):
    """This machine has no Triton that can run."""


class StoppedError(LocalServerError):
    """The server was told to stop while it was starting."""


class RequestError(LocalServerError):
    """The request cannot be served; `status` is the HTTP status."""

    status = 400


class ImageError(RequestError):
    """The body is no image that can be read."""


class ForbiddenError(RequestError):
    """The caller may not do this."""

    status = 403


class UnknownModelError(RequestError):
    """No such model is loaded."""

    status = 404


class TooLargeError(RequestError):
    """The body or the image is larger than the server takes."""

    status = 413


class ModelError(RequestError):
    """The model cannot be loaded."""

    status = 422


class InferenceError(RequestError):
    """The model failed on this image, or gave an answer that cannot be used."""

    status = 500


class LengthRequiredError(RequestError):
    """The body comes without a Content-Length."""

    status = 411


class StorageError(RequestError):
    """The result files cannot be written."""

    status = 507
