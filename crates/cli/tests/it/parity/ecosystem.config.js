// Read by PM2 and by Mainstay, to the letter. `app.js` misbehaves as its first word says.
const app = (name, behaviour, more) => ({ name, script: './app.js', args: behaviour, autorestart: true, ...more });
module.exports = { apps: [
  app('crash', 'crashes_once_up', { max_restarts: 5, min_uptime: 10000 }),
  app('later', 'crashes_later', { min_uptime: 200 }),
  app('throws', 'throws', { min_uptime: 200 }),
  app('ends', 'ends', { min_uptime: 200 }),
  app('job', 'ends', { autorestart: false }),
  app('done', 'ends_with_7', { stop_exit_codes: [7], min_uptime: 200 }),
  app('memory', 'grows', { max_memory_restart: '120M' }),
  app('clock', 'lives', { cron_restart: '*/5 * * * * *' }),
  app('delay', 'crashes_later', { restart_delay: 1000, min_uptime: 200 }),
  app('backoff', 'crashes_later', { exp_backoff_restart_delay: 200, min_uptime: 200 }),
  app('several', 'lives', { instances: 2, exec_mode: 'cluster', increment_var: 'METRICS_PORT', env: { METRICS_PORT: 9100, OWN: 'mine' }, env_production: { ONLY_PRODUCTION: 'yes' } }),
  app('named', 'lives', { instances: 2, exec_mode: 'cluster', instance_var: 'MY_NUMBER', namespace: 'night' }),
  app('words', ['lives', 'two words', '--flag=x'], { node_args: '--max-old-space-size=64 --no-warnings', cwd: './inside', script: '../app.js' }),
  app('filtered', 'lives', { filter_env: ['SECRET_'] }),
  app('interrupted', 'listens_to_signals'),
  app('message', 'listens_to_signals', { shutdown_with_message: true }),
  app('stubborn', 'ignores', { kill_timeout: 700 }),
  app('tree', 'has_children'),
  app('ready', 'says_ready', { wait_ready: true, listen_timeout: 10000 }),
] };
