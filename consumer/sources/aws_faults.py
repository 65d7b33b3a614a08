"""botocore's exceptions and AWS's error codes, as the faults of our own tree.

Two outcomes: `SourceUnavailable`, which passes by itself or with patience, and `SourceDenied`,
where somebody has to act. What is in neither table is taken as unavailable, because a source that
stops for good on an unknown word loses more than one that tries again; a test walks botocore's
classes so that a new one gets its place here.
"""

from http import HTTPStatus

from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError

from consumer.errors import SourceDenied, SourceError, SourceUnavailable

UNAVAILABLE: tuple[type[Exception], ...] = (
    aws.HTTPClientError,
    aws.ConnectionError,
    aws.CapacityNotAvailableError,
    aws.ChecksumError,
    aws.FlexibleChecksumError,
    aws.IncompleteReadError,
    aws.AwsChunkedWrapperError,
    aws.UnseekableStreamError,
    aws.WaiterError,
    aws.PaginationError,
    # The instance metadata service is known to falter for a moment.
    aws.MetadataRetrievalError,
    aws.CredentialRetrievalError,
)

DENIED: tuple[type[Exception], ...] = (
    # who we are
    aws.NoCredentialsError,
    aws.NoAuthTokenError,
    aws.TokenRetrievalError,
    aws.UnknownTokenProviderError,
    aws.PartialCredentialsError,
    aws.UnknownCredentialError,
    aws.RefreshWithMFAUnsupportedError,
    aws.SSOError,
    aws.LoginError,
    # how we are configured
    aws.ProfileNotFound,
    aws.ConfigParseError,
    aws.ConfigNotFound,
    aws.InvalidConfigError,
    aws.InvalidIMDSEndpointError,
    aws.InvalidIMDSEndpointModeError,
    aws.InvalidRetryConfigurationError,
    aws.InvalidS3UsEast1RegionalEndpointConfigError,
    aws.InvalidSTSRegionalEndpointsConfigError,
    aws.InvalidProxiesConfigError,
    aws.InvalidDefaultsMode,
    aws.InvalidChecksumConfigError,
    aws.InvalidEndpointConfigurationError,
    aws.InvalidEndpointDiscoveryConfigurationError,
    aws.MissingDependencyException,
    aws.MD5UnavailableError,
    # where we want to go
    aws.BaseEndpointResolverError,
    aws.EndpointProviderError,
    aws.UnknownRegionError,
    aws.ServiceNotInRegionError,
    aws.DataNotFoundError,
    aws.ApiVersionNotFoundError,
    aws.UnknownSignatureVersionError,
    aws.UnsupportedSignatureVersionError,
    aws.UnsupportedServiceProtocolsError,
    aws.UnknownServiceStyle,
    # what we asked for
    aws.ValidationError,
    aws.ParamValidationError,
    aws.MissingParametersError,
    aws.OperationNotPageableError,
    aws.UnknownClientMethodError,
    aws.InvalidExpressionError,
    aws.WaiterConfigError,
    aws.InvalidDNSNameError,
    aws.InvalidHostLabelError,
    aws.InvalidS3AddressingStyleError,
    aws.UnsupportedS3ArnError,
    aws.UnsupportedS3ControlArnError,
    aws.UnsupportedOutpostResourceError,
    aws.UnsupportedS3ConfigurationError,
    aws.UnsupportedS3AccesspointConfigurationError,
    aws.UnsupportedS3ControlConfigurationError,
    aws.StubResponseError,
)

# Refusals that pass, whatever their status: throttling has a dozen names at AWS.
PASSING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "InternalError",
        "InternalFailure",
        "KmsThrottled",
        "LimitExceededException",
        "OverLimit",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)

_ADVICE = {
    "AccessDenied": "allow the action in the policy of this identity and of the resource",
    "ExpiredToken": "the temporary credentials have expired: renew them",
    "InvalidAccessKeyId": "AWS does not know the access key: check the credentials",
    "InvalidClientTokenId": "AWS does not know the access key: check credentials and region",
    "InvalidAddress": "check the queue's URL and its region",
    "NonExistentQueue": "check the queue's name, account and region",
    "NoSuchBucket": "check the bucket's name",
    "OptInRequired": "the account has no access to this service in this region",
    "RequestExpired": "check this machine's clock",
    "SignatureDoesNotMatch": "check the secret access key and this machine's clock",
    "UnrecognizedClientException": "AWS does not know the access key: check the credentials",
}
_ADVICE |= {
    "403": _ADVICE["AccessDenied"],
    "AccessDeniedException": _ADVICE["AccessDenied"],
    "ExpiredTokenException": _ADVICE["ExpiredToken"],
    "QueueDoesNotExist": _ADVICE["NonExistentQueue"],
    "RequestTimeTooSkewed": _ADVICE["RequestExpired"],
}


# A worker tries again by itself, whoever runs a command once does.
_PASSES = "as a rule this passes by itself"


def translate(error: BotoCoreError | ClientError, attempted: str) -> SourceError:
    """Make the `SourceError` that says what was attempted, what came of it and what to do.

    Args:
        error: as botocore raised it.
        attempted: what we were doing and to what: ``receiving from the queue ses-events``.
    """
    if isinstance(error, ClientError):
        return _translate_refusal(error, attempted)
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError):
        return SourceDenied(
            f"{attempted}: no AWS credentials found ({error}); set AWS_PROFILE or "
            "AWS_ACCESS_KEY_ID, name a profile in the settings, or give the machine a role"
        )
    if isinstance(error, aws.NoRegionError):
        return SourceDenied(f"{attempted}: no AWS region; set it in the settings, or AWS_REGION")
    if isinstance(error, DENIED):
        return SourceDenied(f"{attempted}: {error}; check the AWS configuration")
    return SourceUnavailable(f"{attempted}: {error}; {_PASSES}")


def is_passing(code: str, status: int) -> bool:
    """Whether a refusal goes away by itself: throttling, and whatever is AWS's own fault."""
    return (
        code in PASSING_CODES
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or status == HTTPStatus.TOO_MANY_REQUESTS
    )


def _translate_refusal(error: ClientError, attempted: str) -> SourceError:
    details = error.response.get("Error", {})
    # JSON services answer "AWS.SimpleQueueService.NonExistentQueue", or a shape's name with
    # its namespace before a "#".
    code = str(details.get("Code", "Unknown")).rpartition("#")[2].rpartition(".")[2]
    said = details.get("Message") or "no reason given"
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if is_passing(code, status):
        return SourceUnavailable(f"{attempted}: AWS answered {code} ({said}); {_PASSES}")
    advice = _ADVICE.get(code, "somebody has to look at this")
    return SourceDenied(f"{attempted}: AWS refused with {code} ({said}); {advice}")
