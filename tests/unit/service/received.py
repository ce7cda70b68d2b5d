"""An answer as the service's client reads it, without a network between."""

from collections.abc import Mapping, Sequence

import numpy as np

from feature_platform.service.answers import Answers
from feature_platform.service.bytes_cache import BytesCache
from feature_platform.service.decode import Share, matrix_of
from feature_platform.service.described import Described
from feature_platform.service.encode import Form
from feature_platform.service.features_pb2 import GetFeaturesResponse
from feature_platform.service.kinds import edition_of
from feature_platform.service.lists import Served, Wanted, only
from feature_platform.serving.matrix import FeatureMatrix
from feature_platform.serving.prepared import prepared
from feature_platform.serving.request import asked_keys
from tests.unit.matrices import check_columns


def matrix_received(
    answers: Answers,
    served: Served,
    wanted: Wanted,
    entities: Mapping[str, Sequence[object]],
) -> FeatureMatrix:
    """Ask for each kind of entity on its own, as the client does, and put the matrix together."""
    client = served.prepared.client
    about = edition_of(client, served, client.snapshots(), BytesCache(0)).about
    asked = asked_keys(entities, about, client.limits.entities_max)
    shares = {}
    for kind in asked:
        whole = served.prepared.feature_list
        chosen = only(whole, served.about.kinds, (kind.entity,))
        part = Served(
            prepared=prepared(client, chosen, None, {}), about=served.about, groups=served.groups
        )
        form = Form(layout="packed", states=True)
        named = Wanted(name=wanted.name, version=wanted.version, kinds=(kind.entity,))
        found = answers.find(part, named, {kind.entity: list(kind.unique)}, None, form)
        answer = GetFeaturesResponse.FromString(found.write())
        shares[kind.entity] = [Share(places=np.arange(len(kind.unique)), answer=answer)]
    made = matrix_of(Described(served.describe()), asked, shares, "exact")
    check_columns(made)
    return made
