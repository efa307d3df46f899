# SPDX-License-Identifier: Apache-2.0
# What people are and may, of what a token says: lib/fleet/assign.c, by a program around it.

load helpers

setup_file() {
    local build=${FC_BUILD:-build} flags=

    case $build in /*) ;; *) build=$BATS_TEST_DIRNAME/../../$build ;; esac
    ! readelf -d "$build/bin/fc-sign" | grep -q libasan || flags=-fsanitize=address,undefined
    # shellcheck disable=SC2086 # none or some
    cc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror $flags -I"$BATS_TEST_DIRNAME/../../lib" \
        -o "$BATS_FILE_TMPDIR/assign" "$BATS_TEST_DIRNAME/assign.c" "$build/libfc.a" -ljq -lonig -lm -lmd
}
setup() { fc_setup; }
teardown() { fc_teardown; }

# cases: lines of INPUT => WANTED on standard input, blank ones between.
cases() {
    grep -v '^$' >cases
    sed 's/ => .*//' cases | jq -c . >in
    sed 's/.* => //' cases | jq -cS . >wanted
    "$BATS_FILE_TMPDIR/assign" <in >got
    diff wanted got
}

@test "in which organizations a provider's people are" {
    cases <<'END'
{"provider": {"organizationAssignment": {"type": "static", "organizationName": "acme"}}, "claims": {"preferred_username": "eve"}} => {"user": "eve", "in": {"acme": []}}
{"provider": {"organizationAssignment": {"type": "static", "organizationName": "acme"}}, "claims": {"sub": "eve"}} => {"code": 5}
{"provider": {"organizationAssignment": {"type": "static", "organizationName": "acme"}}, "claims": {"preferred_username": ""}} => {"code": 5}
{"provider": {"organizationAssignment": {"type": "static", "organizationName": "acme"}}, "claims": {"preferred_username": ["eve"]}} => {"code": 5}
{"provider": {"organizationAssignment": {"type": "static", "organizationName": "acme"}}, "claims": {"preferred_username": 7}} => {"code": 5}
{"provider": {"organizationAssignment": {"type": "static", "organizationName": "acme"}}, "claims": {"preferred_username": "eve\u0000root"}} => {"code": 5}
{"provider": {"usernameClaim": ["sub"], "organizationAssignment": {"type": "static", "organizationName": "acme"}}, "claims": {"preferred_username": "mallory", "sub": "eve"}} => {"user": "eve", "in": {"acme": []}}
{"provider": {"usernameClaim": ["a", "b"], "organizationAssignment": {"type": "perUser"}}, "claims": {"a": {"b": "eve"}}} => {"user": "eve", "in": {"user-org-eve": []}}
{"provider": {"organizationAssignment": {"type": "perUser", "organizationNamePrefix": "", "organizationNameSuffix": "-home"}}, "claims": {"preferred_username": "eve"}} => {"user": "eve", "in": {"eve-home": []}}
{"provider": {"organizationAssignment": {"type": "dynamic", "claimPath": ["org"]}}, "claims": {"preferred_username": "eve", "org": "acme"}} => {"user": "eve", "in": {"acme": []}}
{"provider": {"organizationAssignment": {"type": "dynamic", "claimPath": ["x", "orgs"], "organizationNamePrefix": "p-", "organizationNameSuffix": "-s"}}, "claims": {"preferred_username": "eve", "x": {"orgs": ["a", "", 7, null, {"b": 1}, "b"]}}} => {"user": "eve", "in": {"p-a-s": [], "p-b-s": []}}
{"provider": {"organizationAssignment": {"type": "dynamic", "claimPath": ["x", "orgs"]}}, "claims": {"preferred_username": "eve", "x": "orgs"}} => {"user": "eve", "in": {}}
{"provider": {"organizationAssignment": {"type": "dynamic", "claimPath": ["orgs"]}}, "claims": {"preferred_username": "eve"}} => {"user": "eve", "in": {}}
{"provider": {"organizationAssignment": {"type": "dynamic", "claimPath": []}}, "claims": {"preferred_username": "eve"}} => {"user": "eve", "in": {}}
{"provider": {"organizationAssignment": {"type": "other", "organizationName": "acme"}}, "claims": {"preferred_username": "eve"}} => {"user": "eve", "in": {}}
{"provider": {}, "claims": {"preferred_username": "eve"}} => {"user": "eve", "in": {}}
END
}

@test "which roles they have there" {
    cases <<'END'
{"provider": {"organizationAssignment": {"type": "static", "organizationName": "a"}, "roleAssignment": {"type": "static", "roles": ["viewer", "flightctl-installer", "god", "device", "enrollment", "flightctl-flightctl-admin", "Admin"]}}, "claims": {"preferred_username": "eve"}} => {"user": "eve", "in": {"a": ["viewer", "installer"]}}
{"provider": {"organizationAssignment": {"type": "dynamic", "claimPath": ["o"]}, "roleAssignment": {"type": "static", "roles": ["operator"]}}, "claims": {"preferred_username": "eve", "o": ["a", "b"]}} => {"user": "eve", "in": {"a": ["operator"], "b": ["operator"]}}
{"provider": {"organizationAssignment": {"type": "dynamic", "claimPath": ["o"]}, "roleAssignment": {"type": "dynamic", "claimPath": ["r", "all"]}}, "claims": {"preferred_username": "eve", "o": ["a", "b"], "r": {"all": ["viewer", "a:operator", "c:admin", ":admin", "b:", "b:flightctl-org-admin", "x:y:admin"]}}} => {"user": "eve", "in": {"a": ["operator", "viewer"], "b": ["org-admin", "viewer"]}}
{"provider": {"organizationAssignment": {"type": "dynamic", "claimPath": ["o"], "organizationNamePrefix": "p-"}, "roleAssignment": {"type": "dynamic", "claimPath": ["r"], "separator": "/"}}, "claims": {"preferred_username": "eve", "o": ["a", "b"], "r": ["a/viewer", "p-b/admin", "b:admin"]}} => {"user": "eve", "in": {"p-a": ["viewer"], "p-b": []}}
{"provider": {"organizationAssignment": {"type": "static", "organizationName": "a"}, "roleAssignment": {"type": "dynamic", "claimPath": ["r"]}}, "claims": {"preferred_username": "eve", "r": "viewer"}} => {"user": "eve", "in": {"a": ["viewer"]}}
{"provider": {"organizationAssignment": {"type": "static", "organizationName": "a"}, "roleAssignment": {"type": "dynamic", "claimPath": ["r"]}}, "claims": {"preferred_username": "eve", "r": {"viewer": true}}} => {"user": "eve", "in": {"a": []}}
{"provider": {"roleSuffix": "prod", "organizationAssignment": {"type": "static", "organizationName": "a"}, "roleAssignment": {"type": "dynamic", "claimPath": ["r"]}}, "claims": {"preferred_username": "eve", "r": ["flightctl-viewer-prod", "a:operator-prod", "installerprod", "-prod"]}} => {"user": "eve", "in": {"a": ["operator", "viewer"]}}
{"provider": {"roleAssignment": {"type": "static", "roles": ["admin"]}}, "claims": {"preferred_username": "eve"}} => {"user": "eve", "in": {}}
END
}

@test "whom an organization assigns a role" {
    cases <<'END'
{"organization": {"roleAssignments": [{"role": "viewer", "users": ["ann", "eve"]}, {"role": "operator", "users": ["bob"]}]}, "user": "eve"} => ["viewer"]
{"organization": {"roleAssignments": [{"role": "viewer", "users": ["eve"]}, {"role": "operator", "users": ["eve"]}]}, "user": "eve"} => ["operator", "viewer"]
{"organization": {"roleAssignments": [{"role": "viewer", "users": ["eve"]}]}, "user": "Eve"} => []
{"organization": {"roleAssignments": [{"role": "viewer", "users": [""]}]}, "user": ""} => []
{"organization": {"roleAssignments": [{"role": "viewer"}]}, "user": "eve"} => []
{"organization": {"roleAssignments": [{"role": "viewer", "groups": ["shops", "trains"]}]}, "user": "eve", "claims": {"groups": ["x", "trains"]}} => ["viewer"]
{"organization": {"roleAssignments": [{"role": "viewer", "groups": ["shops"]}]}, "user": "eve", "claims": {"groups": "shops"}} => ["viewer"]
{"organization": {"roleAssignments": [{"role": "viewer", "groups": ["shops"]}]}, "user": "shops", "claims": {"groups": ["x"], "roles": ["shops"]}} => []
{"organization": {"roleAssignments": [{"role": "viewer", "groups": ["shops"]}]}, "user": "eve"} => []
{"organization": {"roleAssignments": [{"role": "admin", "claims": [{"path": ["a", "b"], "value": "x"}]}]}, "user": "eve", "claims": {"a": {"b": ["y", "x"]}}} => ["admin"]
{"organization": {"roleAssignments": [{"role": "admin", "claims": [{"path": ["a", "b"], "value": "x"}]}]}, "user": "eve", "claims": {"a": {"b": "x"}}} => ["admin"]
{"organization": {"roleAssignments": [{"role": "admin", "claims": [{"path": ["a", "b"], "value": "x"}]}]}, "user": "eve", "claims": {"a": {"b": {"x": 1}}, "b": "x"}} => []
{"organization": {"roleAssignments": [{"role": "admin", "claims": [{"path": [], "value": "x"}]}]}, "user": "eve", "claims": {"x": "x"}} => []
{"organization": {}, "user": "eve", "claims": {"groups": ["shops"]}} => []
END
}
