"""A project that asks what one of the five systems asks: every variable that only its owner knows has a value, though not a true one."""

from __future__ import annotations

import typing as t

from .support import Project

# Of a real system the owner knows these; here they only let every item be asked.
# fmt: off
_QUERIES = [
    "app_elo", "app_games_age", "app_games_years", "app_grading_age", "app_leagues_with_teams", "app_meta_weights", "app_model_auc",
    "app_model_calibrated", "app_model_f1", "app_model_matrix", "app_models_active", "app_models_registered", "app_odds_age", "app_odds_history",
    "app_pipeline_age", "app_sample_rows", "app_scores_age", "app_signal_age", "app_validation_age", "app_walk_forward", "audit_gaps",
    "model_performance", "sharpe_ratio", "win_rate", "app_feature_cache", "bot_predictions",
]
_FILES = [
    "app_model_metadata_file", "app_model_newest_metadata_file", "app_repository", "app_cli_setup_marker", "app_setup_marker", "bot_config_file",
    "bot_dry_run_report",
]
_NAMES = [
    "airflow_alert_rule", "airflow_collect_dag", "airflow_train_dag", "airflow_validate_dag", "app_data_source_setting", "bot_ml_url_key",
    "app_autogluon_glob", "app_h2o_glob", "app_model_git_glob", "app_model_versions_glob",
]
# fmt: on
VARIABLES: dict[str, t.Any] = {
    **{name + "_query": "SELECT 1" for name in _QUERIES},
    **{name: "/srv/owner/" + name for name in _FILES},
    **dict.fromkeys(_NAMES, "owner"),
    **{name: ["owner"] for name in ("app_migration_heads", "app_partitioned_tables", "app_performance_objects", "app_required_indexes")},
    **{name: ["false"] for name in ("app_e2e_command", "app_smoke_command", "app_worker_ping")},
    "app_commit": "0123456789abcdef0123456789abcdef01234567",
    "app_broker": "192.0.2.12:6379",
    "app_predict_sample": {"team": "owner"},
    "bot_health_pattern": "GET /health",
    "db_instances": "lab-data.*",
    **dict.fromkeys(("app_readonly_token", "grafana_authorization"), "Bearer nobody"),
    **dict.fromkeys(("odds_api_key", "weather_api_key"), "nobody's"),
    "weather_url": "https://weather.invalid/",
    "public_urls": dict.fromkeys(["production", "dashboards", "logs", "status", "documentation"], "https://owner.invalid"),
}


def asking(project: Project, *systems: str) -> Project:
    """`project` with the checklists of `systems`; its hosts carry every group, and nobody has answered anything."""
    project.edit("policy/lab/gate.yml", lambda gate: dict(gate, checklist=list(systems), fleet=_fleet(gate["fleet"])))
    project.edit("inventories/lab/group_vars/all/systems.yml", lambda _: {**VARIABLES, "preflight_groups": {"control": ["monitoring"]}})
    project.edit("inventories/lab/hosts.yml", _with_gpu)
    project.edit("policy/lab/attestations.yml", lambda _: {"people": {}, "attestations": []})
    return project


def _fleet(fleet: dict[str, list[str]]) -> dict[str, list[str]]:
    kept = {group: hosts for group, hosts in fleet.items() if group != "monitoring"}
    return dict(kept, gpu=fleet["app"], control=fleet["monitoring"])


def _with_gpu(hosts: t.Any) -> t.Any:
    hosts["all"]["children"]["gpu"]["hosts"] = {"lab-app": None}
    return hosts
