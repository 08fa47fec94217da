export const load = ({ cookies }) => ({ name: cookies.get('session') ?? 'nobody', user: cookies.get('user') ?? 'you' });
