"""Which copy of which weights a spec asks for."""

from aifactory.api.cachestatus import ContentStatus
from aifactory.api.modelcache import ModelCache, ModelCacheSpec
from aifactory.render.digest import SHORT, digest

from .observed import CacheObserved

SECRETS = {
    "hugging_face": {"token_secret"},
    "s3": {"credentials_secret"},
    "oci": {"pull_secret"},
    "ngc": {"auth_secret"},
}


def folder(spec: ModelCacheSpec) -> str:
    """Folder of the volume for what the spec asks for; another source has another one, another Secret has not."""
    source = spec.source.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=SECRETS)
    # Mirrors, an AIFactory's of S3 as well, hold the same; a bucket is another one at another endpoint of its cache.
    place = spec.endpoint if spec.source.s3 else None
    return f"copy-{digest([source, place], SHORT)}"


def settled(cache: ModelCache, observed: CacheObserved, job: str) -> ContentStatus | None:
    """The last complete copy in the claim that is there: what the Job of this name has brought, or what was known."""
    download, claim = observed.download(job), observed.claim
    known = cache.status.content
    if claim is None or observed.lost:
        return None
    if download is not None and download.succeeded and observed.current(download):
        outcome = next((one.fetched for one in observed.of(job) if one.fetched), None)
        if outcome is not None:
            return ContentStatus(
                folder=download.folder,
                claim_uid=claim.uid,
                revision=outcome.revision,
                files=outcome.files,
                bytes=outcome.bytes,
            )
        if known is None or known.folder != download.folder or known.claim_uid != claim.uid:
            return ContentStatus(folder=download.folder, claim_uid=claim.uid)
    return known if known is not None and known.claim_uid == claim.uid else None


def complete(cache: ModelCache, content: ContentStatus | None) -> bool:
    """A copy is what the spec asks for."""
    return content is not None and content.folder == folder(cache.spec)
