"""Which AWS account and region a source speaks to, and with whose credentials."""

import os
from dataclasses import dataclass

import botocore.session
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAccess:
    """What a source may set; everything left out comes from boto3's usual places.

    Attributes:
        region: AWS region; else AWS_REGION, AWS_DEFAULT_REGION, the profile's.
        profile: of the shared configuration files; else AWS_PROFILE.
        role_arn: a role to assume with the credentials found, so that one worker serves many
            accounts.
        role_external_id: what the role's trust policy asks for (docs.aws.amazon.com/IAM/latest/
            UserGuide/id_roles_common-scenarios_third-party.html).
        role_session_name: what the other account's CloudTrail shows.
        endpoint_url: another address of SQS than the region's (a VPC endpoint, an emulator).
        s3_endpoint_url: the same for S3.
    """

    region: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    role_external_id: str | None = None
    role_session_name: str = "duckpost"
    endpoint_url: str | None = None
    s3_endpoint_url: str | None = None


def open_session(access: AwsAccess, *, region: str | None = None) -> botocore.session.Session:
    """Start a botocore session, with the role assumed on first use and refreshed as it expires.

    Opens no connection. ``region`` is what the caller knows better than the environment does
    (a queue URL names its region); ``access.region`` wins over it. Raises botocore's own
    exceptions: callers translate them.
    """
    session = _open_plain_session(access, region)
    if access.role_arn is None:
        return session
    assumed = _open_plain_session(access, region)
    provider = _AssumedRole(session, access)
    assumed.register_component("credential_provider", CredentialResolver([provider]))
    return assumed


def _open_plain_session(access: AwsAccess, region: str | None) -> botocore.session.Session:
    session = botocore.session.Session(profile=access.profile)
    # botocore reads AWS_DEFAULT_REGION alone; every other SDK, Lambda and ECS say AWS_REGION.
    region = access.region or region or os.environ.get("AWS_REGION")
    if region:
        session.set_config_variable("region", region)
    return session


class _AssumedRole(CredentialProvider):
    """Credentials of a role that another session's credentials may assume."""

    METHOD = "assume-role"

    def __init__(self, source: botocore.session.Session, access: AwsAccess) -> None:
        super().__init__()
        self._source = source
        self._access = access

    def load(self) -> DeferredRefreshableCredentials:
        source_credentials = self._source.get_credentials()
        if source_credentials is None:
            raise NoCredentialsError
        asked = {"RoleSessionName": self._access.role_session_name}
        if self._access.role_external_id is not None:
            asked["ExternalId"] = self._access.role_external_id
        fetcher = AssumeRoleCredentialFetcher(
            self._source.create_client,
            source_credentials,
            self._access.role_arn or "",
            extra_args=asked,
        )
        return DeferredRefreshableCredentials(
            refresh_using=fetcher.fetch_credentials, method=self.METHOD
        )
