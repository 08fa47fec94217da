export const load = ({ cookies }) => ({ name: cookies.get('session') ?? 'nobody' });
