"""What a client needs for TLS: whom to trust, and its own certificate."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

from fastingest.errors import OptionError

__all__ = ["client_context"]

_CERTIFICATE = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----")
_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")


class _EncryptedError(Exception):
    """A passphrase was asked for."""


def client_context(
    ca_file: Path | None = None, cert_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """A context for connections to a server.

    :param ca_file: PEM file of the authorities to trust; None: the system's.
    :param cert_file: PEM file of our own certificate, and of those between it and its authority;
        None: none.
    :param key_file: PEM file of its key; None: it is in ``cert_file``.
    :raises OptionError: a file cannot be used; the error is of the option that names it.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:  # an OSError as well
        raise OptionError("ca_file", f"{ca_file} holds no certificates in PEM form") from None
    except OSError as error:
        raise OptionError("ca_file", f"{ca_file}: {error.strerror}") from None
    if cert_file is not None:
        _load(context, cert_file, key_file)
    elif key_file is not None:
        raise OptionError("key_file", "a key alone is of no use; name its certificate: --cert-file")
    return context


def _load(context: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    # OpenSSL does not say which of the files it means.
    if not _CERTIFICATE.search(_read("cert_file", cert_file)):
        raise OptionError("cert_file", f"{cert_file} holds no certificate in PEM form")
    option, where = ("cert_file", cert_file) if key_file is None else ("key_file", key_file)
    if not _KEY.search(_read(option, where)):
        more = "; --key-file names the file of the key" if key_file is None else ""
        raise OptionError(option, f"{where} holds no private key in PEM form{more}")

    def passphrase() -> str:  # without it, OpenSSL would ask on the terminal
        raise _EncryptedError

    try:
        context.load_cert_chain(cert_file, key_file, passphrase)
    except _EncryptedError:
        raise OptionError(
            option,
            f"the key in {where} is encrypted; decrypt it (openssl pkey -in … -out …), and let "
            "nobody else read the file",
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem = f"the key in {where} does not belong to the certificate in {cert_file}"
        else:
            problem = f"{cert_file} cannot be used: {error.reason or error}"
        raise OptionError(option, problem) from None
    except OSError as error:
        raise OptionError(option, f"{where}: {error.strerror}") from None


def _read(option: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OptionError(option, f"{path}: {error.strerror}") from None
