"""The configuration that ``--run`` or ``--config-file``, and ``--opts``, mean together."""


def model_config(arguments):
    """CfgNode, not frozen; of a run with its best weights, unless ``--opts`` names others.

    Raises:
        ConfigError: no run, no such file, or a wrong setting.
    """
    from segtumor.config import load_config
    from segtumor.engine.run_folder import find_run

    config_file, weights = find_run(arguments.run) if arguments.run else (arguments.config_file, None)
    chosen = ["MODEL.WEIGHTS", str(weights)] if weights else []
    return load_config(config_file, [*chosen, *arguments.opts])
