"""The Python interface: one small module a job, offered lazily by `import edgenas as en`; the command line calls it."""
