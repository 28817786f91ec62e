"""The Python interface: one small module a job. `import edgenas as en` offers it, and the command line calls it."""
