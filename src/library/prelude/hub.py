"""transformers.utils.hub: nothing is looked up, fetched or stored."""

CHAT_TEMPLATE_DIR = "additional_chat_templates"
CHAT_TEMPLATE_FILE = "chat_template.jinja"
TRANSFORMERS_DYNAMIC_MODULE_NAME = "transformers_modules"


class PushToHubMixin:
    def push_to_hub(self, *args, **kwargs):
        raise NotImplementedError("nothing is uploaded")


class EntryNotFoundError(Exception):
    pass


class RepositoryNotFoundError(Exception):
    pass


class RevisionNotFoundError(Exception):
    pass


hf_api = None


def is_offline_mode():
    return True


def resolve_revision(*args, **kwargs):
    return None


def cached_file(*args, **kwargs):
    return None


def extract_commit_hash(*args, **kwargs):
    return None
